"""The paper's experiments, repeated and extended; README.md in this folder is the report.

`waves` makes the data, `stacked` holds many networks in one set of tensors, `training` trains them in parallel. `grid`
says which networks are trained, `experiments` runs all parts and `store` keeps their results. `limit`, `linear`,
`recursion` and `equation13` answer further questions. `figures` and `report` draw and write the results. Only the
command line imports this package.
"""
