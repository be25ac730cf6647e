"""HTTP and SQL, no Pulumi: how Neon, Vercel and Postgres are asked, with errors that carry no secret."""
