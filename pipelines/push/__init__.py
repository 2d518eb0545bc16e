"""Push: history rows from files, validated, in chunks, through the ledger, into the account.

    files ─▶ parse ─▶ stage ─▶ checks ─▶ intake ─▶ send, revenue ─▶ audit
             values: what a text means             ledger: what was meant to be sent, and what came of it

Here lie the whole push and its two halves for an orchestrator (`run`), sending one dataset after the other
(`send_datasets`), the dry run (`plan`, with what was found in files: `findings`), what a person settles (`resolve`),
the outcomes of rows (`outcomes`), and what a run has done (`figures`). What does not
belong here: HTTP (`pipelines.trackly`), and reading contacts (`pipelines.pull`).
"""
