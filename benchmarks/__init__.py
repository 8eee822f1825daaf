"""Skyward measured beside ipyparallel, Dask and Ray, alternately, in one run of one process.

``python -m benchmarks`` prints the table and whether each budget holds. Ratios are what counts:
absolute times drift between machines and with what else runs on them.
"""
