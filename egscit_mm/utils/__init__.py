# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What training, inference, converters and tools share: reading images, files."""
