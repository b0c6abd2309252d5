"""Studies of networks that the daemon does not run, and of what its cells remember; README.md here is the report.

`registry` names the studies, `scope` keeps what they measured, `report` prints it. Only the command line imports this
package.
"""
