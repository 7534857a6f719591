"""Runs the cases of one module and reports each by name: run.py MODULE [CASE…]

A case is a function without arguments and without a leading underscore, or an entry of the module's `CASES`.
"""

import importlib
import inspect
import sys
import traceback


def cases_of(module):
    found = {
        name: member
        for name, member in inspect.getmembers(module, inspect.isfunction)
        if member.__module__ == module.__name__ and not name.startswith("_")
    }
    found.update(getattr(module, "CASES", {}))
    return found


def passes(name, case):
    try:
        case()
    except Exception:
        traceback.print_exc(file=sys.stdout)
        print(f"{name}: FAILED", flush=True)
        return False
    print(f"{name}: ok", flush=True)
    return True


def main(module, *wanted):
    cases = cases_of(importlib.import_module(module))
    chosen = {name: cases[name] for name in wanted} if wanted else cases
    failed = [name for name, case in chosen.items() if not passes(name, case)]
    print(f"{len(chosen) - len(failed)} of {len(chosen)} passed", flush=True)
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
