"""How a command ends: its exit code, and what is told where memory runs out."""

DONE, REFUSED, USAGE, SOME_REFUSED, STOPPED = 0, 1, 2, 3, 130

TOLD = f"""exit codes:
  {DONE}    done
  {REFUSED}    refused: an input or the machine is not as it must be; the last line says what to do
  {USAGE}    the command line cannot be understood
  {SOME_REFUSED}    some of several scans were refused, the others are done
  {STOPPED}  stopped with Ctrl+C"""

NO_MEMORY = "the machine has too little free memory for this scan; lower --memory-gib, or give a smaller part"
