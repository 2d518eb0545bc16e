"""Push: sends history rows from files to the account: validated, in chunks, recorded in the ledger.

    files ─▶ parse ─▶ stage ─▶ checks ─▶ intake ─▶ send, revenue ─▶ audit
             values: what a text means             ledger: what was meant to be sent, and its outcome

This folder holds the whole push and its two halves for an orchestrator (`run`), sending one dataset after the other
(`send_datasets`), the dry run (`plan`, and `findings` for what was found in files), the decisions of a person
(`resolve`), the outcomes of rows (`outcomes`), and the figures of a run (`figures`). What does not belong here: HTTP
(`pipelines.trackly`), and reading contacts (`pipelines.pull`).
"""
