"""What the platform remembers: tables, queries, migrations."""
