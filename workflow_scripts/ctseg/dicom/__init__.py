"""Reading DICOM: headers, series, slices, and stacks of slices as one volume."""
