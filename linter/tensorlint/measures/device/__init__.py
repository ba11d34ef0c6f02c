"""Measuring on a torch device; the only modules that import torch, and only when a device is asked for."""
