"""Entry point of `python -m groupdir`, which is the same program as the installed command `groupdir`."""

from groupdir.cli import main

if __name__ == "__main__":
    main()
