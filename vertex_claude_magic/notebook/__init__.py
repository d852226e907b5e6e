"""The extension in IPython: magics, the output of a cell, pages and the panel."""
