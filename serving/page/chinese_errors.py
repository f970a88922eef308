"""Chinese error messages, selected by the fixed words of the English message.

Many modules create the English messages, also for the terminal; this table contains those that a scan on the page can
cause. For any other message the page shows the English text after a Chinese introduction.
"""

import re

OTHERS = "原因（英文原文）：{text}"
# Regular expression for the English message → Chinese message; {0}, {1} … are the groups of the expression.
SENTENCES = {
    r"could not be processed \((\w+)\)": "无法处理该扫描（{0}）",
    r"needs more memory|does not fit into memory": "内存不足，无法处理该扫描；请换用内存更大的机器，或提供较小的部分",
    r"no room left for the upload": "磁盘空间不足，无法保存上传的文件；请释放空间，或稍后再试",
    r"files of the upload cannot be written or read on the disk \((.+?)\)": (
        "磁盘无法读写上传的文件（{0}）；请检查磁盘，或稍后再试"
    ),
    r"the body is empty": "文件为空；请提供 .nii、.nii.gz，或 DICOM 文件的 zip",
    r"the upload came slower than (\S+) KiB/s, or took longer than (\S+) s": (
        "上传慢于 {0} KiB/s，或超过 {1} 秒；请使用更快的连接"
    ),
    r"larger than the ([\d.e+]+) MiB": "文件过大：上限为 {0} MiB",
    r"larger than ([\d.e+]+) MiB when decompressed": "解压后过大：上限为 {0} MiB",
    r"too large when decompressed": "解压后过大，或压缩比过高，不像扫描",
    r"the gzip file is cut or damaged": "gzip 文件不完整或已损坏；请重新提供",
    r"the zip is cut, damaged": "zip 文件不完整、已损坏或格式特殊；请重新打包",
    r"the name of (.+?) is not UTF-8 text": "{0} 的文件名不是 UTF-8 文本；请重命名该文件",
    r"the zip holds no file": "zip 中没有文件；请提供一个序列的 DICOM 文件",
    r"table of contents of the zip is too large for the (\d+) files": "zip 的目录过大：文件上限为 {0} 个",
    r"more than the (\d+) files": "文件过多：上限为 {0} 个",
    r"names a file outside of itself": "zip 中的路径指向其外部；请重新打包序列文件夹",
    r"holds a link or a device": "zip 中含有链接或设备；请只打包文件本身",
    r"compressed in another way than deflate": "zip 的压缩方式不是 deflate；请重新打包",
    r"the zip is encrypted": "zip 已加密；请提供没有密码的文件",
    r"holds another archive": "zip 中含有另一个压缩包；请直接打包 DICOM 文件",
    r"the NIfTI file is cut: .* announces (\d+) bytes, (\d+) came": (
        "NIfTI 文件不完整：文件头声明 {0} 字节，实际 {1} 字节"
    ),
    r"this is no .*by its content": "从内容看，这不是可读取的格式（NIfTI、NRRD、MHA、DICOM 或其 zip）",
    r"header (?:of the file )?is damaged": "文件头已损坏；请重新导出",
    r"names another file that holds its voxels": "文件的体素在另一个文件中；请保存为单个文件（.nrrd 或 .mha）",
    r"has sizes in .*, and programs read them as mm": "文件中的大小不是以毫米为单位；请以毫米重新保存",
    r"does not state its voxel size": "文件没有说明体素大小；请用能写入体素大小的软件重新保存",
    r"holds no single 3-D volume": "文件不是单个三维图像；请提供一个三维扫描",
    r"the scan of .* voxels.* is larger": "扫描的体素过多，超过上限",
    r"holds values of type (.+), not CT numbers": "数据类型为 {0}，不是 CT 值；请提供原始扫描",
    r"several files are taken as the slices": "多个文件会被当作一个 DICOM 文件夹的切片；其他格式请单独提供",
    r"without a modality": "DICOM 文件没有模态信息：不完整或已损坏；请替换或删除",
    r"is not a folder; a DICOM": "DICOM 扫描需要提供包含全部切片的文件夹",
    r"the model (.+) does not exist; ": "模型 {0} 不存在；请用 make app MODEL=path/to/model.onnx 重新启动页面",
    r"no model was given": "没有给出模型；请用 make app MODEL=path/to/model.onnx 重新启动页面",
    r"does not exist": "文件不存在",
    r"cannot be read as DICOM": "DICOM 文件不完整或已损坏；请从来源重新复制",
    r"its name says DICOM, its content does not": "文件名表示 DICOM，但内容不是；请重新复制",
    r"damaged functional groups": "多帧 DICOM 的功能组已损坏；请重新复制",
    r"holds (\S+), not Hounsfield units": "序列的值为 {0}，不是 HU：它由 CT 计算得到；请提供 CT 本身",
    r"(\d+) of the (\d+) slices in .* have no RescaleIntercept": (
        "{1} 个切片中有 {0} 个没有 RescaleIntercept，其值不是 HU；请从来源重新复制该序列"
    ),
    r"series_uid is not among": "所选序列不在这些 CT 序列中；请重新选择",
    r"holds CT series of (\d+) patients": (
        "文件中有 {0} 位患者的 CT 序列，无法确定使用哪一个；请选择序列，或只提供一位患者的文件"
    ),
    r"is empty, as (\d+) of the files": "有 {0} 个文件为空；请重新复制该序列",
    r"have different orientations": "同一序列的切片方向不同，不是一个三维图像；请只提供其中一组",
    r"an orientation that is not a pair": "切片的方向信息无效；请从来源重新复制",
    r"pixels without a size|which no CT has|more than any CT": "像素或体素的大小不可能属于 CT；请更正其大小或单位",
    r"a rescale slope of 0": "RescaleSlope 为 0，所有值都会相同；请重新导出",
    r"lacks a usable (\w+)": "切片缺少可用的 {0}：不属于三维图像，或已损坏",
    r"stores (\S+) of (\S+) bits a pixel": "每像素 {1} 位中使用 {0} 位，无法读取",
    r"is cut: it holds (\S+) of (\S+) pixels": "切片不完整：{1} 个像素中只有 {0} 个；请从来源重新复制",
    r"holds no pixels": "切片没有像素：不完整或已损坏；请从来源重新复制",
    r"another size than its header says": "图像大小与文件头不符：已损坏",
    r"cannot be decoded \((.+?)\)": "无法解码（{0}）：文件已损坏，或不支持该压缩方式；请先解压缩该序列",
    r"(\d+) slice\(s\) are missing": "缺少 {0} 个切片；请补全该序列",
    r"are not evenly spaced": "切片间距不均匀，无法作为三维图像；请补全或更正该序列",
    r"not all images of the CT series": "CT 序列的部分图像无法使用；请从来源重新复制，或移除不属于该扫描的文件",
    r"the series mixes several scans": "同一位置有不同的切片：序列混合了多次扫描（时相或重建）；请将它们分开",
    r"holds no CT series of several slices": "没有找到由多个切片组成的 CT 序列；请提供一个 CT 序列的全部切片",
    r"the CT series in .* cannot be used": "CT 序列无法使用：文件不完整、已损坏或大小不一；请从来源重新复制",
    r"holds values from (-?\d+) to (-?\d+), which cannot be": (
        "值的范围为 {0} 到 {1}，不可能是 CT 的 HU：不是 CT，或已被重新缩放或调窗；请提供原始扫描"
    ),
    r"one file of a DICOM series": "这只是 DICOM 序列中的一个文件；请提供全部切片",
    r"is not a scan that ctseg reads": "无法读取该格式；请提供 DICOM、NIfTI、NRRD 或 MHA",
    r"but its name says NIfTI": "文件名表示 NIfTI，但内容是其他格式；请按其格式命名",
    r"cannot be read as (\w+)[ :]": "无法按 {0} 读取：文件不完整、已损坏或为其他格式",
    r"the voxels end too early": "文件不完整：体素数据提前结束",
    r"its matrix is singular": "几何信息无效：矩阵不可逆或不是有限值",
    r"not a ctseg model|card format": "这不是本版本可用的 ctseg 模型",
    r"the disk or network reports an error|cannot be read:": "文件无法读取：磁盘或网络报错",
    r"the own label cannot be shown: it has no voxel": "无法显示自己的标注：其中没有模型的任何目标",
    r"the own label cannot be shown": "无法显示自己的标注：格式无法读取，或与扫描不匹配",
    r"no DICOM object can refer to them": "切片缺少 DICOM 结果所需的标识，因此没有 DICOM 结果；其他文件可以下载",
    r"DICOM cannot be written": "扫描分布在多个多帧文件中，因此没有 DICOM 结果；其他文件可以下载",
}


def chinese_error(text: str) -> str:
    """Chinese message for an English one; if none is known, the English text after a Chinese introduction."""
    for pattern, sentence in SENTENCES.items():
        if found := re.search(pattern, text, re.DOTALL):
            return sentence.format(*found.groups())
    return OTHERS.format(text=text)
