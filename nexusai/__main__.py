"""`python -m nexusai` is the `nexusai` command."""

from nexusai.cli import main

if __name__ == "__main__":
    main()
