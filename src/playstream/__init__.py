"""playstream runs Ansible anywhere a byte pipe reaches.

    playstream transmit demo -p site.yml | ssh host playstream worker | playstream process demo
"""

from playstream._version import __version__

__all__ = ["__version__"]
