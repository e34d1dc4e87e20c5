#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: manifest
short_description: Apply directories, files and links to a host in one go
version_added: 0.1.0
description:
  - Compares a list of directories, files and links with the host and changes what differs, all in one execution.
  - Content is small text sent with the task, or a file copied to the host before, which O(files[].src) names.
  - Used by M(rocketmq.cluster.node) and M(rocketmq.cluster.engine), which render the manifest on the controller.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
attributes:
  check_mode:
    support: full
    description: Reports what would change and changes nothing.
  diff_mode:
    support: full
    description: Returns one diff for each file, directory and link.
extends_documentation_fragment:
  - rocketmq.cluster.attributes
options:
  directories:
    description: Directories that have to exist, parents first.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      mode:
        description: Octal mode.
        type: str
        required: true
      owner:
        description: Name of the owner; not touched where not given.
        type: str
      group:
        description: Name of the group; not touched where not given.
        type: str
  files:
    description: Files with their whole content.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      mode:
        description: Octal mode.
        type: str
        required: true
      owner:
        description: Name of the owner; not touched where not given.
        type: str
      group:
        description: Name of the group; not touched where not given.
        type: str
      content:
        description: Text of the file, written as UTF-8.
        type: str
      secret_content:
        description: The same for text with secrets in it, which is kept out of every log.
        type: str
      hidden_keys:
        description: Keys of a properties file whose values a diff does not show.
        type: list
        elements: str
        default: []
      src:
        description: A file on the host to copy the content from.
        type: path
      sha256:
        description:
          - Digest of the content in hex. A file with neither O(files[].content) nor O(files[].src) must be there
            already, with this digest.
        type: str
        required: true
      sensitive:
        description: Keep the content out of the diff.
        type: bool
        default: false
  links:
    description: Symbolic links.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the link.
        type: path
        required: true
      target:
        description: What the link points to.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: A folder and a file in one round trip
  rocketmq.cluster.manifest:
    directories:
      - path: /srv/example
        mode: "0755"
    files:
      - path: /srv/example/greeting
        mode: "0644"
        content: "hello\n"
        sha256: "{{ 'hello\n' | hash('sha256') }}"
"""

RETURN = r"""
changes:
  description: Path of everything that changed, or in check mode would.
  returned: always
  type: list
  elements: str
  sample: [/srv/example/greeting]
missing:
  description: Files whose content is neither in the task nor on the host. Where there are any, nothing was changed.
  returned: always
  type: list
  elements: str
  sample: []
"""

import grp
import pwd
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.manifest import Directory, File, Link, Manifest, ManifestError, apply, missing

_OWNED = {
    "path": {"type": "path", "required": True},
    "mode": {"type": "str", "required": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}
_FILE = dict(
    _OWNED,
    content={"type": "str", "no_log": False},
    secret_content={"type": "str", "no_log": True},
    hidden_keys={"type": "list", "elements": "str", "default": [], "no_log": False},
    src={"type": "path"},
    sha256={"type": "str", "required": True},
    sensitive={"type": "bool", "default": False},
)
_LINK = {"path": {"type": "path", "required": True}, "target": {"type": "str", "required": True}}


def _list_of(options: Dict[str, Any]) -> Dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def _without_strangers(items: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """In check mode the service's user may not exist yet: ownership cannot be compared then."""
    return [dict(item, owner=_known_user(item["owner"]), group=_known_group(item["group"])) for item in items]


def _known_user(name: Any) -> Any:
    try:
        return name and pwd.getpwnam(name).pw_name
    except KeyError:
        return None


def _known_group(name: Any) -> Any:
    try:
        return name and grp.getgrnam(name).gr_name
    except KeyError:
        return None


def _file(item: Dict[str, Any]) -> File:
    secret = item["secret_content"]
    rest = {name: value for name, value in item.items() if name != "secret_content"}
    return File(**(rest if secret is None else dict(rest, content=secret)))


def main() -> None:
    module = AnsibleModule(
        argument_spec={"directories": _list_of(_OWNED), "files": _list_of(_FILE), "links": _list_of(_LINK)},
        supports_check_mode=True,
    )
    directories, files = module.params["directories"], module.params["files"]
    if module.check_mode:
        directories, files = _without_strangers(directories), _without_strangers(files)
    manifest = Manifest(
        [Directory(**item) for item in directories],
        [_file(item) for item in files],
        [Link(**item) for item in module.params["links"]],
    )
    absent = missing(manifest)
    if absent and not module.check_mode:
        module.exit_json(changed=False, changes=[], missing=absent)
    try:
        changes = apply(manifest, module)
    except (ManifestError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(changes),
        changes=[change.path for change in changes],
        missing=[],
        diff=[change.diff() for change in changes],
    )


if __name__ == "__main__":
    main()
