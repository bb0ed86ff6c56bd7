"""Each check of scripts/lint, on a small tree of its own: silent on good sources, loud on bad ones."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["VLM_SOURCE_DIR"])
GOOD = {
    "common/a.h": "#pragma once\n",
    "insight/b.cc": '#include "common/a.h"\n',
    "server/core/c.cc": '#include "server/core/c.h"\n\n#include "common/a.h"\n',
    "server/core/c.h": "#pragma once\n",
    "worker/agent/d.cc": '#include "common/a.h"\n',
    "worker/trainer/e.cc": '#include "torch/torch.h"\n',
    "CMakeLists.txt": "vlm_library(NAME vlm_rpc SRCS r.cc DEPS PkgConfig::GRPCPP)\n"
                      "vlm_executable(NAME vlm-trainer SRCS e.cc DEPS vlm_torch)\n"
                      "vlm_executable(NAME vlm-worker SRCS d.cc DEPS vlm_rpc)\n",
    "tests/insight/CMakeLists.txt": "vlm_test(NAME b_test SRCS b_test.cc)\n",
    "tests/insight/b_test.cc": "TEST(BTest, Works) {}\n",
    "README.md": "[a](common/a.h)\n",
    "run.sh": "#!/usr/bin/env bash\nset -e\necho hello\n",
}


class LintTest(unittest.TestCase):
    def setUp(self):
        self.tree = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.tree)
        shutil.copytree(SOURCE / "scripts/lint", self.tree / "scripts/lint")
        shutil.copy(SOURCE / ".clang-format", self.tree)
        subprocess.run(["git", "init", "-q"], cwd=self.tree, check=True)
        self.write(GOOD)

    def write(self, files):
        for name, text in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)

    def lint(self, check):
        run = subprocess.run([self.tree / "scripts/lint/all.sh", check], capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def fails(self, check, files, expected):
        self.write(files)
        code, text = self.lint(check)
        self.assertEqual(code, 1, text)
        self.assertIn(expected, text)
        self.assertIn("0 passed, 1 failed", text)

    def test_a_good_tree_passes_every_check(self):
        for check in ("format", "layers", "tests", "sizes", "words", "scripts", "docs"):
            code, text = self.lint(check)
            self.assertEqual((check, code), (check, 0), text)
            self.assertTrue(text.endswith("1 passed, 0 failed\n"), text)

    def test_an_unknown_check_is_an_error(self):
        self.assertEqual(self.lint("nonsense")[0], 2)

    def test_layers_finds_an_include_against_the_rule(self):
        self.fails("layers", {"insight/b.cc": '#include "server/core/c.h"\n'},
                   "insight/b.cc:1: insight must not include server/core/c.h")

    def test_layers_keeps_agent_and_trainer_apart(self):
        self.fails("layers", {"worker/agent/d.cc": '#include "worker/trainer/x.h"\n'},
                   "worker/agent must not include worker/trainer/x.h")

    def test_layers_keeps_the_heart_pure(self):
        self.fails("layers", {"server/core/c.cc": '#include <mutex>\n#include "grpcpp/grpcpp.h"\n'},
                   "server/core/c.cc:1: the deterministic heart must not include mutex")

    def test_layers_keeps_grpc_out_of_the_trainer_also_through_other_targets(self):
        self.fails("layers", {"worker/CMakeLists.txt": "target_link_libraries(vlm-trainer PRIVATE vlm_rpc)\n"},
                   "vlm-trainer links PkgConfig::GRPCPP")

    def test_layers_keeps_torch_out_of_the_agent(self):
        self.fails("layers", {"worker/agent/d.cc": "#include <torch/torch.h>\n"}, "must not know LibTorch")

    def test_tests_finds_one_that_nobody_compiles(self):
        self.fails("tests", {"tests/insight/lost_test.cc": "TEST(LostTest, Runs) {}\n"},
                   "tests/insight/lost_test.cc is in no target")

    def test_tests_is_not_fooled_by_a_comment_or_a_longer_name(self):
        self.fails("tests", {"tests/insight/CMakeLists.txt": "# b_test.cc\nvlm_test(SRCS ab_test.cc)\n"},
                   "tests/insight/b_test.cc is in no target")

    def test_tests_finds_one_that_is_switched_off(self):
        self.fails("tests", {"tests/insight/b_test.cc": "TEST(BTest, DISABLED_Works) {}\n"},
                   "b_test.cc:1: a test is switched off")

    def test_tests_lets_only_those_skip_that_need_root(self):
        skip = 'TEST(BTest, Works) {\n  GTEST_SKIP() << "%s";\n}\n'
        self.fails("tests", {"tests/insight/b_test.cc": skip % "slow"}, "b_test.cc:2: a test is switched off")
        self.write({"tests/insight/b_test.cc": skip % "only root can mount"})
        self.assertEqual(self.lint("tests")[0], 0)

    def test_sizes_finds_long_files_and_functions(self):
        self.fails("sizes", {"common/long.cc": "int a;\n" * 401}, "common/long.cc has 401 lines")
        body = "  Call();\n" * 70
        self.fails("sizes", {"common/long.cc": f"void F() {{\n{body}}}\n"},
                   "common/long.cc:1: a function of 72 lines")

    def test_words_finds_unfinished_work_and_paths_of_a_machine(self):
        self.fails("words", {"common/a.h": "// TO" "DO: later\n"}, "common/a.h:1: unfinished work")
        self.fails("words", {"common/a.h": '#define P "/ho' 'me/me/x"\n'}, "a path of one machine")

    def test_format_and_scripts_find_faults(self):
        self.fails("format", {"common/a.h": "#pragma once\nint   a ;\n"}, "common/a.h is not formatted")
        self.fails("scripts", {"run.sh": "#!/usr/bin/env bash\nfor x in $(ls); do rm $y; done < <(\n"}, "SC")

    def test_docs_finds_links_that_lead_nowhere(self):
        self.fails("docs", {"README.md": "[a](missing.md)\n"}, "the link missing.md leads nowhere")


if __name__ == "__main__":
    unittest.main()
