"""Many machines over SSH: connections beside a thread for each with Paramiko, and whole pools while calls run.

``python -m benchmarks.ssh --nodes 10 30 100`` prints the tables. Each measurement is a process of its own; the
machines are addresses of OpenSSH servers here, which share the processors with what is measured.
"""
