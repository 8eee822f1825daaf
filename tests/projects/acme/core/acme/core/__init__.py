from acme.core.base import Part

__all__ = ["Part"]
