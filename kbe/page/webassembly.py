"""The compiled training as a WebAssembly module: numba's own code of it, for another machine.

`python -m kbe.page.webassembly` makes the module anew and stores it where the page finds it. It needs a linker,
`wasm-ld`: of the package `ziglang`, or of LLVM's lld. Nothing else does.
"""

from __future__ import annotations

import ast
import base64
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import llvmlite.binding as llvm
from numba import cfunc, types

from kbe.book import sources
from kbe.page import entry

STORED = Path("book") / "_static" / "training.js"

EXPORTED = ("kbe", "__heap_base")  # the entry, and where memory is free

_SIGNATURE = types.void(types.int32, types.CPointer(types.int64), types.CPointer(types.float64), types.int32,
                        *[types.float64] * 2, *[types.int32] * 2)  # fmt: skip
_TRIPLE = "wasm32-unknown-unknown"
_ENTRY = "_ZN3kbe4page5entry16sixteen_networks"
_OF_THE_PROCESSOR = r"(?m)^(?:target |attributes #|declare .*llvm\.x86).*\n"
_COUNTING = ("NRT_incref", "NRT_decref")  # who holds an array: here nobody allocates any
# Functions of the C library, which WebAssembly lacks: the settings that call them are not offered.
_LACKING = {"exp": 1, "log1p": 1, "tanh": 1, "expm1": 1, "pow": 2}


def digest_of_sources(root: str | Path = ".") -> str:
    """A digest of all that the module is made from; comments, docstrings and layout do not count."""
    read = sources.Sources(root)
    inside, _ = read.reached(f"from {entry.__name__.rpartition('.')[0]} import entry")
    made_from = sorted(name for name in inside if name.startswith(("kbe.training.compiled.", "kbe.page.")))
    return sources.digest("\n".join(_code(path) for path in map(read.file, made_from) if path))


def _code(path: Path) -> str:
    """What a source says without comments and docstrings, the same in every version of Python."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def stored_module(root: str | Path = ".") -> tuple[bytes, str]:
    """The module that the page holds, and the digest of the sources that it was made from.

    Raises
    ------
    ValueError
        If none is stored.

    Examples
    --------
    >>> module, digest = stored_module()
    >>> digest == digest_of_sources()
    True
    """
    text = (Path(root) / STORED).read_text(encoding="utf-8")
    found = re.search(r'source: "(\w+)", module: "([^"]+)"', text)
    if not found:
        raise ValueError(f"{STORED} holds no module: run `make wasm`.")
    return zlib.decompress(base64.b64decode(found[2])), found[1]


def store_module(root: str | Path = ".") -> Path:
    """Make the module and store it, compressed, as a script that a page opened from a disk can load: `make wasm`.

    Raises
    ------
    RuntimeError
        If there is no linker.
    """
    text = base64.b64encode(zlib.compress(_made(), 9)).decode()
    path = Path(root) / STORED
    path.write_text(f'// Made by `make wasm`.\nconst KBE_TRAINING = {{source: "{digest_of_sources(root)}", '
                    f'module: "{text}"}};\n', encoding="utf-8")  # fmt: skip
    return path


def _made() -> bytes:
    """Compile the entry anew, for WebAssembly with vectors of 128 bits."""
    native = cfunc(_SIGNATURE, error_model="numpy")(entry.sixteen_networks)
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = {"cpu": "generic", "features": "+simd128,+bulk-memory", "opt": 3, "codemodel": "default"}
    target = llvm.Target.from_triple(_TRIPLE).create_target_machine(reloc="static", **machine)
    head = f'target datalayout = "{target.target_data}"\ntarget triple = "{_TRIPLE}"\n'
    module = llvm.parse_assembly(head + _for_any_machine(native._library.get_llvm_str()))
    module.verify()
    return _linked(target.emit_object(module))


def _for_any_machine(text: str) -> str:
    """Numba's intermediate code without what belongs to this processor, to the interpreter or to the C library."""
    text = re.sub(_OF_THE_PROCESSOR, "", text).replace("= common ", "= internal ")
    text = re.sub(r" #\d+", "", text)
    for name in re.findall(r'(?m)^define [^\n]*@"?(cfunc\.[^\s"(]+)', text):
        text = _without(text, name)
    for name in _COUNTING:
        text = _without(text, name) + f"define void @{name}(ptr %x) {{\n  ret void\n}}\n"
    for name, count in _LACKING.items():
        text = re.sub(rf"(?m)^declare [^\n]* @{name}\(.*\n", "", text)
        taken = ", ".join(["double"] * count)
        text += f"define double @{name}({taken}) {{\n  call void @llvm.trap()\n  unreachable\n}}\n"
    return re.sub(rf'@"?{_ENTRY}[^\s"(]*"?\(', "@kbe(", text) + "declare void @llvm.trap()\n"


def _without(text: str, function: str) -> str:
    before, _, rest = re.split(rf'(?m)^(define [^\n]*@"?{re.escape(function)}"?\()', text, maxsplit=1)
    return before + rest[rest.index("\n}\n") + 3 :]


def _linked(compiled: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "training.o", Path(folder) / "training.wasm"
        source.write_bytes(compiled)
        exported = [f"--export={name}" for name in EXPORTED]
        options = ["--no-entry", "--gc-sections", "--strip-all", *exported]
        subprocess.run([*_linker(), source, "-o", made, *options], check=True)
        return made.read_bytes()


def _linker() -> list[str]:
    if shutil.which("wasm-ld"):
        return ["wasm-ld"]
    if importlib.util.find_spec("ziglang") is None:
        raise RuntimeError("A linker is missing: install the package ziglang, or lld, which has wasm-ld.")
    return [sys.executable, "-m", "ziglang", "wasm-ld"]


if __name__ == "__main__":
    print(store_module())
