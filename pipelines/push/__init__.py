"""Push: history rows from files, validated, in chunks, through the ledger, into the account.

    files ─▶ parse ─▶ stage ─▶ checks ─▶ send, revenue ─▶ audit
             values: what a text means        ledger: what was meant to be sent, and what came of it

Here lie the whole push (`run`), its two halves for an orchestrator (`intake` and `sending`), the dry run (`plan`,
with what was found in files: `findings`), what a person settles (`resolve`), the outcomes of rows (`outcomes`), and
what a run has done (`figures`). What does not belong here: HTTP (`pipelines.trackly`), and reading contacts
(`pipelines.pull`).
"""
