"""`python -m sammed_cli` is `sammed`."""

from sammed_cli.main import main

if __name__ == "__main__":
    main()
