"""The paper's experiments, repeated and carried on; README.md beside this file is the report.

`waves` makes the data, `stacked` holds many networks in one set of tensors, `training` trains them side by side,
`experiments` lays out the grid and keeps its results, `limit`, `linear`, `recursion` and `equation13` answer the
questions around it, `figures` and `report` draw and write what came out. Only the command line imports this package.
"""
