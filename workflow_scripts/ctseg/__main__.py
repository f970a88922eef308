"""The command line: `ctseg predict`, `ctseg info`, `ctseg init`."""

import argparse
import sys

from ctseg.command import info, init, predict
from ctseg.command.endings import NO_MEMORY, REFUSED, STOPPED, TOLD, printing
from ctseg.errors import InputError, refusal
from ctseg.version import VERSION


def parser() -> argparse.ArgumentParser:
    """Argument parser of the `ctseg` command, with its subcommands."""
    whole = argparse.ArgumentParser(
        prog="ctseg",
        description="Segment CT scans with a model of ctseg.",
        epilog=TOLD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"ctseg {VERSION}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for command in (predict, info, init):
        command.add_to(commands, TOLD)
    return whole


def main() -> None:
    """Run the command and exit with its code; report unusable input and machine errors in one line on stderr."""
    given = parser().parse_args()
    try:
        with printing():
            code = given.run(given)
        sys.exit(code)
    except InputError as error:
        told = str(error)
    except MemoryError:
        told = NO_MEMORY
    except OSError as error:
        told = refusal(error)
        if not told:
            raise
    except KeyboardInterrupt:
        print("ctseg: stopped", file=sys.stderr)
        sys.exit(STOPPED)
    print(f"ctseg: {told}", file=sys.stderr)
    sys.exit(REFUSED)


if __name__ == "__main__":
    main()
