"""The lower half of the dashboard *Operations*: disk, memory, processor, versions."""

from panels import Panel, Query
from queries import ALL, OURS, STREAM, rate

MACHINE = [
    Panel(
        "Does the disk last?",
        "Size of the journal with its log, and free space on its disk. The journal stops growing at retrain.window "
        "samples per series; if space runs out first, make the window smaller or the disk larger. See "
        "StreamerDiskNearlyFull.",
        "bytes",
        [
            Query(f"streamer_journal_size_bytes{{{ALL}}}", "{{instance}} journal"),
            Query(f"streamer_state_free_bytes{{{ALL}}}", "{{instance}} free"),
        ],
        width=8,
    ),
    Panel(
        "Is the journal written?",
        "Seconds since the last commit, and whether writing is blocked (1). While samples come, the first is about the "
        "time between two samples; if it is longer, see StreamerJournalNotCommitting.",
        "s",
        [
            Query(f"time() - streamer_journal_last_commit_timestamp_seconds{{{ALL}}}", "{{instance}} since commit"),
            Query(f"streamer_journal_blocked{{{ALL}}}", "{{instance}} blocked"),
        ],
        width=8,
    ),
    Panel(
        "How much time goes into training?",
        "Share of the time in which a training runs. If it stays near 1, trainings are due faster than they end: raise "
        "retrain.every, or lower training.epochs.",
        "percentunit",
        [Query(rate("streamer_retraining_seconds_total", STREAM, "stream"), "{{stream}}")],
        width=8,
        steps=[(0.8, "yellow")],
    ),
]

PROCESS = [
    Panel(
        "Is there enough memory?",
        "Resident memory of the daemon, without its training process. It grows only with the number of series; growth "
        "without new series is a bug, please report it.",
        "bytes",
        [Query(f"process_resident_memory_bytes{{{ALL}}} {OURS}", "{{instance}}")],
    ),
    Panel(
        "Is there enough processor?",
        "Cores that the daemon uses, without its training process. The fast lane uses one core at most. Near 1 its "
        "batches grow and cost less per sample, so it is overloaded only if the queue fills or latency rises.",
        "short",
        [Query(f"rate(process_cpu_seconds_total{{{ALL}}}[$__rate_interval]) {OURS}", "{{instance}}")],
        steps=[(0.95, "yellow")],
        decimals=2,
    ),
]

VERSIONS = [
    Panel(
        "What runs, and since when?",
        "Version and uptime of every daemon. An uptime that repeatedly falls to 0 is a restart loop: the last lines of "
        "the log and the exit code give the reason.",
        "s",
        [
            Query(
                f"(time() - process_start_time_seconds{{{ALL}}}) * on (job, instance) group_left (version) "
                "streamer_build_info",
                "uptime",
            )
        ],
        kind="table",
        height=5,
        width=8,
    ),
    Panel(
        "Was a damaged journal put aside?",
        "1: the journal was damaged at the start, so the daemon renamed it and began with an empty one. Restore a "
        "backup, and check the disk. See StreamerJournalSetAside.",
        "short",
        [Query(f"streamer_journal_set_aside{{{ALL}}}", "{{instance}}")],
        kind="stat",
        height=5,
        width=8,
        steps=[(1, "red")],
    ),
    Panel(
        "Was a changed configuration taken over?",
        "Reloads (SIGHUP) of the last hour, by result. refused: nothing has changed, and the log names the key that is "
        "wrong or needs a restart; `streamer check` lists all mistakes at once.",
        "short",
        [Query(f"sum by (result) (increase(streamer_reloads_total{{{ALL}}}[1h]))", "{{result}}")],
        height=5,
        width=8,
        decimals=0,
    ),
]
