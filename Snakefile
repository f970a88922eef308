# ctseg: from CT scans to a trained, measured and deployable 3-D U-Net. Each file in rules/ is one stage.
from snakemake.utils import min_version

min_version("9.0")


# The config of the workflow's own folder, so that `--directory` can put the results elsewhere.
configfile: f"{workflow.current_basedir}/config.yaml"


report: "rules/report/workflow.rst"


include: "rules/common.smk"
include: "rules/cases.smk"
include: "rules/convert.smk"
include: "rules/preprocess.smk"


if config["model"]:

    include: "rules/adopt.smk"

else:

    include: "rules/train.smk"
    include: "rules/tune.smk"
    include: "rules/export.smk"


include: "rules/predict.smk"
include: "rules/evaluate.smk"
include: "rules/cohort.smk"
include: "rules/report.smk"
include: "rules/compare.smk"
include: "rules/provenance.smk"


rule all:
    """The whole study: model, segmentations, metrics and report (the default)."""
    default_target: True
    input:
        rules.manifest.input,
        rules.manifest.output,


rule preprocess_all:
    """All labelled cases converted, checked and prepared for training."""
    input:
        expand(rules.preprocess.output, case=STUDY.to_train),


rule predict_all:
    """All cases of the splits in `infer.splits` segmented, with their component tables."""
    input:
        rules.tabulate_segmentations.output,
        expand(rules.write_dicom.output, case=STUDY.to_write),
