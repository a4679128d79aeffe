package kubernetes_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const tree = "../../../deploy/kubernetes"

// overlays are what is applied to clusters, and the components that an overlay
// can have instead of those of production.
var overlays = []string{"production", "kind", "alternative"}

// alternative is production with the components that it leaves out.
const alternative = `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: etrainer
resources: [../base, ../kind/databases.yaml]
components: [../components/gateway, ../components/api-hpa, ../components/worker-hpa]
secretGenerator:
  - {name: database, envs: [../production/secrets/database.env]}
  - {name: api, envs: [../production/secrets/api.env]}
  - {name: worker, envs: [../production/secrets/worker.env]}
`

// files is the tree with its secrets filled in by the examples.
func files(t *testing.T) filesys.FileSystem {
	t.Helper()
	memory := filesys.MakeFsInMemory()
	err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".env") && strings.Contains(path, "secrets") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(path, tree), ".example")
		return memory.WriteFile(name, content)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := memory.WriteFile("/alternative/kustomization.yaml", []byte(alternative)); err != nil {
		t.Fatal(err)
	}
	return memory
}

// build returns the objects of an overlay.
func build(t *testing.T, overlay string) objects {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = 0
	made, err := krusty.MakeKustomizer(options).Run(files(t), "/"+overlay)
	if err != nil {
		t.Fatal(err)
	}
	var all objects
	for _, resource := range made.Resources() {
		text, err := resource.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		each, err := decode(text)
		if err != nil {
			t.Errorf("%s %s: %v", resource.GetKind(), resource.GetName(), err)
			continue
		}
		all = append(all, each)
	}
	return all
}
