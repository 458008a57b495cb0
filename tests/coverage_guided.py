"""Let atheris look for inputs that reach new lines: ``python -m tests.coverage_guided NAME``.

NAME is a test of ``test_fuzz`` or ``test_fuzz_files`` that takes nothing but fuzzed arguments;
what follows is libFuzzer's, such as ``-max_total_time=60``. Needs ``pip install atheris``.
"""

import sys


def main():
    import atheris  # an extra tool, and what it watches has to be imported under its eyes

    with atheris.instrument_imports(include=["divergences", "gans"]):
        from tests import test_fuzz, test_fuzz_files

    name, *options = sys.argv[1:]
    chosen = getattr(test_fuzz, name, None) or getattr(test_fuzz_files, name)
    atheris.Setup([sys.argv[0], *options], chosen.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
