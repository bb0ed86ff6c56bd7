"""The Kubernetes manifests: against the API's schemas, and against each other and the programs."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import programs

FOLDER = programs.SOURCE / "deploy/kubernetes"
KUBERNETES = "1.29"  # Older clusters than this have no grpc probes of general availability.
CHECKER = pathlib.Path(subprocess.run([programs.SOURCE / "scripts/deps/deploy.sh"], check=True,
                                      capture_output=True, text=True).stdout.strip())
PROGRAM_OF = {"coordinator": "vlm-coordinator", "worker": "vlm-worker"}


def documents():
    """[(file name, document)] of every manifest, read by the checker's YAML library."""
    script = ("import sys,json,yaml;"
              "print(json.dumps([[n.split('/')[-1],d] for n in sys.argv[1:]"
              " for d in yaml.safe_load_all(open(n)) if d]))")
    run = subprocess.run([CHECKER / "bin/python", "-c", script, *map(str, sorted(FOLDER.glob("*.yaml")))],
                         check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def containers():
    for name, document in documents():
        template = document.get("spec", {}).get("template") if isinstance(document, dict) else None
        for container in (template or {}).get("spec", {}).get("containers", []):
            yield name, template["spec"], container


class KubernetesTest(unittest.TestCase):
    def test_every_manifest_fits_the_schemas(self):
        files = [str(f) for f in sorted(FOLDER.glob("*.yaml")) if f.name != "kustomization.yaml"]
        run = subprocess.run([CHECKER / "bin/kubernetes-validate", "-k", KUBERNETES, "--strict", *files],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_the_checker_does_find_faults(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = pathlib.Path(folder) / "bad.yaml"
            bad.write_text((FOLDER / "coordinator.yaml").read_text().replace("replicas: 1", "replicas: one"))
            run = subprocess.run([CHECKER / "bin/kubernetes-validate", "-k", KUBERNETES, "--strict", bad],
                                 capture_output=True, text=True)
        self.assertNotEqual(run.returncode, 0)

    def test_kustomization_lists_every_file_and_every_image(self):
        kustomization = dict(documents())["kustomization.yaml"]
        others = {f.name for f in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
        self.assertEqual(set(kustomization["resources"]), others)
        images = {c["image"] for _, _, c in containers()}
        self.assertEqual(images, {f"{i['name']}:{i['newTag']}" for i in kustomization["images"]})

    def test_flags_are_those_of_the_programs(self):
        seen = set()
        for _, _, container in containers():
            program = PROGRAM_OF[container["name"]]
            seen.add(program)
            self.assertLessEqual(programs.flags_in(container["args"]), programs.flags(program))
        self.assertEqual(seen, set(PROGRAM_OF.values()))

    def test_the_images_entry_point_takes_all_arguments(self):
        image = (programs.SOURCE / "deploy/containers/Containerfile").read_text()
        for program in PROGRAM_OF.values():
            self.assertIn(f'ENTRYPOINT ["{program}"]', image)
        for _, _, container in containers():
            flags = [w for w in container["args"] if w.startswith("--")]
            self.assertEqual(len(flags), len(set(flags)), "a flag is given twice")

    def test_ports_of_arguments_containers_services_and_probes_agree(self):
        service = next(d for _, d in documents() if d["kind"] == "Service")
        ports = {p["name"]: p["port"] for p in service["spec"]["ports"]}
        self.assertEqual(ports, {"grpc": programs.GRPC_PORT, "http": programs.HTTP_PORT})
        coordinator = next(c for _, _, c in containers() if c["name"] == "coordinator")
        self.assertEqual({p["name"]: p["containerPort"] for p in coordinator["ports"]}, ports)
        self.assertIn(f"0.0.0.0:{ports['grpc']}", coordinator["args"])
        self.assertIn(f"0.0.0.0:{ports['http']}", coordinator["args"])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(coordinator[probe]["grpc"]["port"], ports["grpc"])
        for _, _, worker in (c for c in containers() if c[2]["name"] == "worker"):
            self.assertIn(f"{service['metadata']['name']}:{ports['grpc']}", worker["args"])

    def test_every_mount_has_its_volume_and_no_container_is_privileged(self):
        claims = {"data"}  # Of the StatefulSet's template.
        for name, spec, container in containers():
            volumes = {v["name"] for v in spec.get("volumes", [])} | claims
            for mount in container["volumeMounts"]:
                self.assertIn(mount["name"], volumes, name)
            self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"], name)
            self.assertTrue(spec["securityContext"]["runAsNonRoot"], name)

    def test_the_coordinator_starts_with_the_manifests_arguments(self):
        coordinator = next(c for _, _, c in containers() if c["name"] == "coordinator")
        with tempfile.TemporaryDirectory() as folder:
            words = [folder if w == "/data" else w.replace("0.0.0.0", "127.0.0.1")
                     .replace(f":{programs.GRPC_PORT}", ":0").replace(f":{programs.HTTP_PORT}", ":0")
                     for w in coordinator["args"]]
            programs.starts("vlm-coordinator", words, "listening on")


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main()
