# ctseg: from CT scans to a trained, measured and deployable 3-D U-Net. Each file in rules/ is one stage.
from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


report: "rules/report/workflow.rst"


include: "rules/common.smk"
include: "rules/cases.smk"
include: "rules/convert.smk"
include: "rules/preprocess.smk"
include: "rules/train.smk"
include: "rules/export.smk"
include: "rules/predict.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


localrules:
    all,
    preprocess_all,
    predict_all,


rule all:
    default_target: True
    input:
        rules.tabulate_metrics.output,
        rules.export_model.output,
        expand(rules.postprocess.output, case=cases_to_segment()),
        rules.report.output,
    message:
        "Everything of study {STUDY} is in {RESULTS}."


rule preprocess_all:
    input:
        expand(rules.preprocess.output, case=cases_to_train()),
    message:
        "All cases of study {STUDY} are ready for training."


rule predict_all:
    input:
        expand(rules.postprocess.output, case=cases_to_segment()),
    message:
        "All cases of study {STUDY} are segmented."
