"""The built-in illustrator: it puts pictures of things into painted scenes. It is no diffusion model."""
