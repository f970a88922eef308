"""REST service: uploads, a queue of jobs, and the worker process that segments."""
