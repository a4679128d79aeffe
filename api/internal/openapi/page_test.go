package openapi_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// TestPageInBrowser opens the page in a real Chromium: it lists the
// operations, unfolds one, and neither the script nor the policy complains.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	complaints := listen(ctx)

	var title, operations, unfolded string
	err := chromedp.Run(ctx,
		chromedp.Navigate(api.URL+"/api/docs"),
		chromedp.WaitVisible("#operations-jobs-scheduleJob"),
		chromedp.Title(&title),
		chromedp.Text("#document", &operations),
		chromedp.Click("#operations-jobs-scheduleJob .opblock-summary-control"),
		chromedp.WaitVisible("#operations-jobs-scheduleJob .opblock-body"),
		chromedp.Text("#operations-jobs-scheduleJob .opblock-body", &unfolded),
	)
	if err != nil {
		t.Fatal(err)
	}
	if title != "ETrainer API" || !strings.Contains(operations, "/api/auth/login") {
		t.Errorf("the page %q shows:\n%s", title, operations)
	}
	if !strings.Contains(unfolded, "Idempotency-Key") {
		t.Errorf("the operation shows:\n%s", unfolded)
	}
	for _, complaint := range complaints() {
		t.Errorf("console: %s", complaint)
	}
}

// browser returns the context of a tab of a headless Chromium.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Chromium is not installed (Debian's package chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile(t)),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses to sandbox root
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// profile is a folder for the browser's data. Its processes may write there
// until a moment after the browser has ended.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium") //nolint:usetesting // the test's own would be removed once, too early
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		deadline := time.Now().Add(30 * time.Second)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for os.RemoveAll(dir) != nil && time.Now().Before(deadline) {
			<-tick.C
		}
	})
	return dir
}

// listen collects what the console of a tab shows as a warning or an error.
func listen(ctx context.Context) func() []string {
	var mu sync.Mutex
	var seen []string
	note := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, text)
	}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			note(e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning || e.Type == runtime.APITypeAssert {
				for _, argument := range e.Args {
					note(string(e.Type) + " " + string(argument.Value) + argument.Description)
				}
			}
		case *log.EventEntryAdded: // refused by the policy, not found, …
			note(string(e.Entry.Level) + " " + e.Entry.Text + " " + e.Entry.URL)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

// The page may load its own files alone. They are compressed once, ahead, and
// are the same without compression.
func TestAssets(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	for name, kind := range map[string]string{
		"swagger-ui.css": "text/css; charset=utf-8", "swagger-ui-bundle.js": "text/javascript; charset=utf-8", "start.js": "text/javascript; charset=utf-8",
	} {
		plain := api.Do(t, apitest.Request{Path: "/api/docs/assets/" + name, Header: map[string]string{"Accept-Encoding": "identity"}})
		packed := api.Do(t, apitest.Request{Path: "/api/docs/assets/" + name, Header: map[string]string{"Accept-Encoding": "gzip"}})
		if plain.Status != http.StatusOK || plain.Header.Get("Content-Type") != kind || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v", name, plain.Status, plain.Header)
		}
		if text := unpack(t, packed); text != plain.Text || text == "" {
			t.Errorf("%s: %d bytes compressed, %d plain", name, len(text), len(plain.Text))
		}
		again := api.Do(t, apitest.Request{Path: "/api/docs/assets/" + name, Header: map[string]string{"Accept-Encoding": "gzip", "If-None-Match": packed.Header.Get("ETag")}})
		if again.Status != http.StatusNotModified {
			t.Errorf("%s again: %d, want 304", name, again.Status)
		}
	}
	const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if got := api.Get(t, "/api/docs", "").Header.Values("Content-Security-Policy"); len(got) != 1 || got[0] != policy {
		t.Errorf("the policy of the page is %q, want %q", got, policy)
	}
	if reply := api.Get(t, "/api/docs/assets/..%2findex.html", ""); reply.Status != http.StatusNotFound || reply.JSON["error"] != "File not found" {
		t.Errorf("a path trick: %d %s", reply.Status, reply.Text)
	}
}

func unpack(t *testing.T, reply apitest.Reply) string {
	t.Helper()
	if reply.Header.Get("Content-Encoding") != "gzip" {
		return reply.Text
	}
	reader, err := gzip.NewReader(strings.NewReader(reply.Text))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
