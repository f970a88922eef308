"""Error messages and quality flags in the language of the page."""

from collections.abc import Mapping
from typing import Any

from ctseg.scans.flag import Flag
from serving.page.chinese_errors import chinese_error

CHINESE = "中文"
VIEWS = {"axial": "横断面", "coronal": "冠状面", "sagittal": "矢状面", "oblique": "斜面"}
# Chinese sentences by the kind of a flag, with placeholders for its values.
CHINESE_FLAGS = {
    "qform_off_mm": "文件的 sform 与 qform 在角点处相差 {value} mm；使用了 sform",
    "no_orientation": "文件没有说明方向（sform 和 qform 代码均为 0），各软件的解释不同：此处假定各轴指向左、前、头",
    "no_patient_space": "文件没有说明在患者中的方向，各软件的解释不同：此处假定坐标轴指向左、后、头",
    "burned_in_annotation": "像素中含有文字，可能包含患者姓名",
    "head": "扫描包含头部：可以重建面部，因此不是匿名的",
    "lossy_compression": "切片经过有损压缩：HU 不精确",
    "tilt_deg": "机架倾斜 {value}°：已去除剪切，体素经过插值",
    "slices_shifted_mm": "有切片偏离首末切片的连线，最多 {value} mm：已移回，体素经过插值",
    "gaps": "有切片缺失或间距不均：体素经过插值",
    "rescale_missing": "所有切片都没有 CT 必需的 RescaleIntercept：存储值被当作 HU",
    "images_left_out": "该序列有 {images} 幅图像未使用（原因：{reason}）",
    "not_axial": "切片不是横断面，而是{view}：请确认这是原始扫描，而不是重建图像",
    "hu_offset": "数值不是 HU：软组织的值偏差约 {offset:+d}；请提供以 HU 为单位的扫描",
    "above_tissue": "{share:.1%} 的体素高于 3071 HU，不是组织，也很少是金属：可能是未标记的填充值",
    "windowed": "大量体素（{share:.1%}）恰好位于数值的边界：扫描已被调窗；请提供原始扫描",
    "jumps": "整层的数值跳变约 {hu} HU，位于以下切片之后：{after_slices}",
    "unlike_training_pixel_spacing_mm": "像素大小为 {value:g} mm；模型的训练范围为 {low:.2f} 至 {high:.2f} mm",
    "unlike_training_slice_spacing_mm": "层间距为 {value:g} mm；模型的训练范围为 {low:.2f} 至 {high:.2f} mm",
    "unlike_training_length_mm": "扫描长度为 {value:g} mm；模型的训练范围为 {low:.2f} 至 {high:.2f} mm",
    "coarse_voxels": "体素沿 {axes} 方向比模型的粗得多",
    "lung_field_not_plausible": "肺野不合理（体积 {volume_cm3:.0f} cm³，平均 {mean_hu:.0f} HU），因此搜索了整个扫描",
    "lungs_cut": "扫描范围截断了肺部",
    "lung_fields_differ": "阈值法与网络得到的肺野不同（Dice {dice}），请查看肺部",
    "nothing_found": "未发现目标",
    "uncertain_lesions": "{label}：{found} 个病灶中有 {uncertain} 个不确定，请核对编号 {numbers}",
}


def error_in(text: str, language: str) -> str:
    """English error message in the language of the page."""
    return chinese_error(text) if language == CHINESE else text


def caution_in(flag: Flag, language: str) -> str:
    """Sentence of a flag in the language of the page; `flag.text`, translated if possible, for an unknown kind."""
    if language != CHINESE:
        return flag.text
    if flag.kind not in CHINESE_FLAGS:
        return chinese_error(flag.text)
    try:
        return CHINESE_FLAGS[flag.kind].format(**_plain(flag.values))
    except (KeyError, TypeError, ValueError):  # a value is missing or no number
        return chinese_error(flag.text)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a flag for a Chinese sentence: lists as text, views translated."""
    plain = {name: "、".join(map(str, value)) if isinstance(value, list) else value for name, value in values.items()}
    return plain | ({"view": VIEWS.get(plain["view"], plain["view"])} if "view" in plain else {})
