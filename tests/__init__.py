"""unit (no process, seconds) · contract (one table, every implementation) · parity (plans agree) · system (real processes)."""
