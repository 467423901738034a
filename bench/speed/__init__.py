"""Speed, growth, runtimes and kills at random moments."""
