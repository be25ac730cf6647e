"""A Neon and a Vercel that run on one machine, and the tools that let the real engine use them."""
