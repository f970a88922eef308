"""References of the methods text, by first author and year."""

REFERENCES = {
    "Antonelli 2022": "Antonelli M, et al. The Medical Segmentation Decathlon. Nature Communications 2022; 13: 4128.",
    "Armato 2011": "Armato SG, et al. The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative "
    "(IDRI): a completed reference database of lung nodules on CT scans. Medical Physics 2011; 38: 915–931.",
    "Cardoso 2022": "Cardoso MJ, et al. MONAI: an open-source framework for deep learning in healthcare. "
    "arXiv:2211.02701, 2022.",
    "Çiçek 2016": "Çiçek Ö, et al. 3D U-Net: learning dense volumetric segmentation from sparse annotation. "
    "MICCAI 2016.",
    "Clopper 1934": "Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the case of the "
    "binomial. Biometrika 1934; 26: 404–413.",
    "Garwood 1936": "Garwood F. Fiducial limits for the Poisson distribution. Biometrika 1936; 28: 437–442.",
    "Guo 2017": "Guo C, et al. On calibration of modern neural networks. ICML 2017.",
    "Isensee 2021": "Isensee F, et al. nnU-Net: a self-configuring method for deep learning-based biomedical image "
    "segmentation. Nature Methods 2021; 18: 203–211.",
    "Kerfoot 2018": "Kerfoot E, et al. Left-ventricle quantification using residual U-Net. STACOM 2018.",
    "Kirillov 2019": "Kirillov A, et al. Panoptic segmentation. CVPR 2019.",
    "Korn 1998": "Korn EL, Graubard BI. Confidence intervals for proportions with small expected number of positive "
    "counts estimated from survey data. Survey Methodology 1998; 24: 193–201.",
    "Lin 2017": "Lin TY, et al. Focal loss for dense object detection. ICCV 2017.",
    "Loshchilov 2019": "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR 2019.",
    "Maier-Hein 2024": "Maier-Hein L, et al. Metrics reloaded: recommendations for image analysis validation. "
    "Nature Methods 2024; 21: 195–212.",
    "Myronenko 2018": "Myronenko A. 3D MRI brain tumor segmentation using autoencoder regularization. BrainLes 2018.",
    "Mölder 2021": "Mölder F, et al. Sustainable data analysis with Snakemake. F1000Research 2021; 10: 33.",
    "Nikolov 2021": "Nikolov S, et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. "
    "Journal of Medical Internet Research 2021; 23: e26151.",
    "Salehi 2017": "Salehi SSM, et al. Tversky loss function for image segmentation using 3D fully convolutional deep "
    "networks. MLMI 2017.",
    "Setio 2017": "Setio AAA, et al. Validation, comparison, and combination of algorithms for automatic detection of "
    "pulmonary nodules in computed tomography images: the LUNA16 challenge. Medical Image Analysis 2017; 42: 1–13.",
}
