package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// facts are what a person needs to know of a running product.
type facts struct {
	apiURL, apiPrivateURL, workerURL, mongodbURI, redisURL, adminEmail, adminPassword string
}

func newFacts(p ports, b *backing, s secrets) facts {
	return facts{
		apiURL: fmt.Sprintf("http://127.0.0.1:%d", p.api), workerURL: fmt.Sprintf("http://127.0.0.1:%d", p.worker),
		apiPrivateURL: fmt.Sprintf("http://127.0.0.1:%d", p.apiPrivate),
		mongodbURI:    b.mongodbURI, redisURL: b.redisURL, adminEmail: adminEmail, adminPassword: s.AdminPassword,
	}
}

// waitReady returns when both programs say that they can work.
func (f facts) waitReady(ctx context.Context) error {
	for _, url := range []string{f.apiURL, f.workerURL} {
		if err := awaitOK(ctx, url+"/readyz"); err != nil {
			return err
		}
	}
	return nil
}

func awaitOK(ctx context.Context, url string) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready within %s; what it printed above says why", url, readyWithin)
		case <-ticker.C:
		}
	}
}

// write stores the facts as shell variables, as a whole or not at all.
func (f facts) write(path string) error {
	var text strings.Builder
	for _, v := range [][2]string{
		{"API_URL", f.apiURL},
		{"ADMIN_EMAIL", f.adminEmail},
		{"ADMIN_PASSWORD", f.adminPassword},
		{"MONGODB_URI", f.mongodbURI},
		{"REDIS_URL", f.redisURL},
		{"WORKER_URL", f.workerURL},
		{"API_PRIVATE_URL", f.apiPrivateURL},
	} {
		fmt.Fprintf(&text, "%s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

const welcome = `
  ETrainer is ready.

    api       %[1]s
    metrics   %[7]s/metrics  (of the api, private)
    worker    %[2]s  (private: /livez /readyz /metrics)
    MongoDB   %[3]s
    Redis     %[4]s
    admin     %[5]s  password  %[6]s

  Try it, in another terminal:

    TOKEN=$(curl -s %[1]s/api/auth/login -H 'Content-Type: application/json' -d '{"email":"%[5]s","password":"%[6]s"}' | sed 's/.*"token":"\([^"]*\)".*/\1/'); echo "$TOKEN"
    JOB=$(curl -s %[1]s/api/system/jobs/schedule -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"name":"generate weekly reports","when":"now"}' | tee /dev/stderr | sed 's/.*"id":"\([^"]*\)".*/\1/')
    curl -s %[1]s/api/system/jobs/$JOB -H "Authorization: Bearer $TOKEN"

  Ctrl-C drains and stops everything; a second Ctrl-C stops at once.

`

func (f facts) print(out io.Writer) {
	fmt.Fprintf(out, welcome, f.apiURL, f.workerURL, f.mongodbURI, f.redisURL, f.adminEmail, f.adminPassword, f.apiPrivateURL)
}
