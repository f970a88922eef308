# docker build -t ctseg . && docker run --rm --user "$(id -u)" -v "$PWD:/project" ctseg --cores all --configfile studies/mine.yaml
# With a GPU add `--gpus all --shm-size 2g`. Results appear in /project/results, which is the folder you are in.
FROM python:3.11-slim
WORKDIR /opt/ctseg
COPY requirements.txt ./
RUN pip install --no-cache-dir --requirement requirements.txt
COPY Snakefile config.yaml LICENSE ./
COPY rules rules
COPY workflow_scripts workflow_scripts
COPY envs envs
COPY profiles profiles
COPY studies studies
# A container that runs as another user (`--user "$(id -u)"`) has neither a home, below which Snakemake and matplotlib keep
# caches, nor a name, which Snakemake asks for.
ENV PYTHONPATH=/opt/ctseg/workflow_scripts HOME=/tmp LOGNAME=ctseg
WORKDIR /project
ENTRYPOINT ["snakemake", "--snakefile", "/opt/ctseg/Snakefile"]
CMD ["--cores", "all"]
