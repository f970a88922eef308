"""The public scans that the lung network is trained on."""

from ctseg.lung_training.real_bodies import RealScan

CHESTS = (
    RealScan(
        "chest-nifti/lidc-0001/image.nii.gz",
        "TCIA LIDC-IDRI, LIDC-IDRI-0001",
        "CC BY 3.0",
        "6bf53b79a0f6571471f4ab5f935e11568447ec69db0a6c4609b26f10aa427c07",
    ),
    RealScan(
        "chest-nifti/nsclc-r01-001/image.nii.gz",
        "TCIA NSCLC-Radiogenomics, R01-001",
        "CC BY 3.0",
        "d2a4dbd6f76d482bd9b624900343943bf06c09df3743fec116bd379bb93e2711",
    ),
    RealScan(
        "chest-nifti/cmb-crc-01068/image.nii.gz",
        "TCIA CMB-CRC, patient 01068",
        "CC BY 4.0",
        "149d919e38f1ba0d6a8a91d820330e4d036acdb67b98538ab9c56db4ca9d2f6e",
    ),
    RealScan(
        "abdomen/ct.nii.gz",
        "TotalSegmentator's test files, an abdomen with the bases of the lungs",
        "Apache-2.0",
        "dbd3ae6d614d1d7ef3a46925c30c70038ed52da6b37fdd6afdc7b9b71387e3e1",
    ),
)
WITHOUT_LUNGS = (
    RealScan(
        "sarcoma-nifti/STS_001/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_001",
        "CC BY 3.0",
        "a454479373154b32f87645edbf954d3511e561da76d1d1c98b5d11fb9fb60df7",
    ),
    RealScan(
        "sarcoma-nifti/STS_004/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_004",
        "CC BY 3.0",
        "43b83f8e02f6b9ee39d27bbd018b31d3c8ffeb8ccdd87e5e6c7bc1e86ab83808",
    ),
    RealScan(
        "sarcoma-nifti/STS_007/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_007",
        "CC BY 3.0",
        "66ce268cf8015d963d49de656e212ee6af41478ec7a92055e6bc0697b2586ad6",
    ),
    RealScan(
        "sarcoma-nifti/STS_010/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_010",
        "CC BY 3.0",
        "16d84e49df1cc13dddce8d891699eebd307fa6b1d054e79f61042b3509d7af34",
    ),
    RealScan(
        "sarcoma-nifti/STS_013/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_013",
        "CC BY 3.0",
        "5ccb833951768e508cc8692fa6c6876af0a5b4dacdefe96b4c7810f53d73b90c",
    ),
    RealScan(
        "sarcoma-nifti/STS_016/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_016",
        "CC BY 3.0",
        "785faa182c0d372e9e31c7bd18c6e02421f308788da6b03faf5c3522182e507f",
    ),
    RealScan(
        "sarcoma-nifti/STS_020/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_020",
        "CC BY 3.0",
        "5f62e3a509b8366400077bc0146b35c97091d1f57c92acca6377c45505c2fba8",
    ),
    RealScan(
        "sarcoma-nifti/STS_024/image.nii.gz",
        "TCIA Soft-tissue-Sarcoma (IBSI validation set), STS_024",
        "CC BY 3.0",
        "822c7e29b404f2033a670a62b656d7af845dd11de8efa254f803e6a7b57eaba1",
    ),
)
