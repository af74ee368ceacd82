"""What trainers and verifiers share: a task's rules, contributions, versions, and the shell an agent runs in."""
