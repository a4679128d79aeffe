package auth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/api/internal/auth"
)

// The expected texts are what the regular expressions of the Node backend make
// of them in JavaScript.
func TestSanitiseIsThatOfTheNodeBackend(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                                     "",
		"correct horse":                        "correct horse",
		"conversation=3":                       "c3",
		"on1=":                                 "",
		"on =1":                                "on =1",
		"ONCLICK  =x":                          "x",
		"onx\u00a0=y":                          "y",
		"JavaScript:alert(1)":                  "alert(1)",
		"javajavascript:script:1":              "1",
		"a<script>b</script>c":                 "ac",
		"a<SCRIPT src=x>\nb</Script>c":         "ac",
		"a<scripts>b</script>c":                "a<scripts>b</script>c",
		"<script>unclosed":                     "<script>unclosed",
		"<script>1</script><script>2</script>": "",
		"oonx=nx=":                             "",
	}
	for in, want := range tests {
		if got := auth.Sanitise(in); got != want {
			t.Errorf("sanitise(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	passwords := auth.NewPasswords(bcrypt.MinCost)
	hashOf := func(password string) string {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	}
	digestOf := func(password string) string {
		sum := sha256.Sum256([]byte(password))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	digestedHash := func(password string) string { return "sha256" + hashOf(digestOf(password)) }
	long := strings.Repeat("ă", 40) // 80 bytes; the cut falls within bounds of bytes, not letters
	tests := map[string]struct {
		hash, password string
		want           bool
	}{
		"right":                           {hashOf("secret1"), "secret1", true},
		"wrong":                           {hashOf("secret1"), "secret2", false},
		"of nobody":                       {"", "secret1", false},
		"of nobody, empty":                {"", "", false},
		"prefix of the Node library":      {strings.Replace(hashOf("secret1"), "$2a$", "$2b$", 1), "secret1", true},
		"hash of the altered form":        {hashOf("c3"), "conversation=3", true},
		"hash of the raw form":            {hashOf("conversation=3"), "conversation=3", true},
		"altered form of another":         {hashOf("c4"), "conversation=3", false},
		"first 72 bytes, as Node hashed":  {hashOf(long[:72]), long, true},
		"longer ones of Node are cut":     {hashOf(long[:72]), long[:72] + "different", true},
		"longer ones of ours":             {digestedHash(long), long, true},
		"and not what differs after that": {digestedHash(long), long[:72] + "different", false},
		"nor its beginning":               {digestedHash(long), long[:72], false},
		"nor its digest":                  {digestedHash(long), digestOf(long), false},
		"shorter than the cut":            {hashOf(long[:72]), long[:71], false},
		"no bcrypt hash":                  {"plain text", "plain text", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := passwords.Check(t.Context(), test.hash, test.password)
			if err != nil || got != test.want {
				t.Errorf("Check = %v, %v, want %v", got, err, test.want)
			}
		})
	}
	t.Run("hash and check", func(t *testing.T) {
		t.Parallel()
		hash, err := passwords.Hash(t.Context(), long)
		if err != nil {
			t.Fatalf("Hash of a long password: %v", err)
		}
		if ok, dearer, err := passwords.Check(t.Context(), hash, long); !ok || dearer != "" || err != nil {
			t.Errorf("Check of what Hash made = %v, %q, %v", ok, dearer, err)
		}
		if ok, _, err := passwords.Check(t.Context(), hash, long[:72]+"12345678"); ok || err != nil {
			t.Errorf("Check of another with the same beginning = %v, %v", ok, err)
		}
		ok, dearer, err := auth.NewPasswords(bcrypt.MinCost+1).Check(t.Context(), hash, long)
		if !ok || err != nil || !strings.HasPrefix(dearer, "sha256$2b$05$") {
			t.Errorf("Check at a higher cost = %v, %q, %v", ok, dearer, err)
		}
		if ok, _, err := passwords.Check(t.Context(), dearer, long); !ok || err != nil {
			t.Errorf("Check of the dearer one = %v, %v", ok, err)
		}
		if hash, err := passwords.Hash(t.Context(), long[:72]); err != nil || !strings.HasPrefix(hash, "$2b$04$") { // the library of the Node backend writes it so
			t.Errorf("Hash of 72 bytes = %q, %v, want it to begin with $2b$04$", hash, err)
		}
	})
}

// TestEveryMismatchTakesTheSameTime counts the rounds, whatever is stored.
func TestEveryMismatchTakesTheSameTime(t *testing.T) {
	t.Parallel()
	const cost = bcrypt.MinCost + 2
	hashOf := func(cost int) string {
		hash, err := bcrypt.GenerateFromPassword([]byte("secret1"), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	}
	for stored, hash := range map[string]string{
		"of nobody":        "",
		"no bcrypt hash":   "plain text",
		"a broken salt":    "$2b$04$" + strings.Repeat("!", 53),
		"of the same cost": hashOf(cost),
		"a little cheaper": hashOf(cost - 1),
		"much cheaper":     hashOf(cost - 2),
		"of a long one":    "sha256" + hashOf(cost-1),
		"of PHP":           strings.Replace(hashOf(cost-1), "$2a$", "$2y$", 1),
	} {
		for password, forms := range map[string]int64{"secret2": 1, "conversation=3": 2, strings.Repeat("onclick=", 1<<20): 1} {
			passwords := auth.NewPasswords(cost)
			rounds := passwords.CountRounds()
			if ok, _, err := passwords.Check(t.Context(), hash, password); ok || err != nil {
				t.Errorf("%s: Check = %v, %v, want no match", stored, ok, err)
			}
			if got, want := rounds(), forms<<cost; got != want {
				t.Errorf("%s, password of %d bytes: %d rounds, want %d", stored, len(password), got, want)
			}
		}
	}
}

// TestPasswordsWaitInLine holds every processor's place, and sees that others
// wait no longer than their context.
func TestPasswordsWaitInLine(t *testing.T) {
	t.Parallel()
	passwords := auth.NewPasswords(bcrypt.MinCost)
	release := passwords.Occupy()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := passwords.Hash(ended, "secret1"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash in a full line = %v, want the end of the context", err)
	}
	if _, _, err := passwords.Check(ended, "", "secret1"); !errors.Is(err, context.Canceled) {
		t.Errorf("Check in a full line = %v, want the end of the context", err)
	}
	release()
	if _, err := passwords.Hash(t.Context(), "secret1"); err != nil {
		t.Errorf("Hash after the line has moved = %v", err)
	}
}

func TestValidEmail(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"an@example.com":                         true,
		"An.Nguyen+x@EXAMPLE.co.uk":              true,
		"o'brien_1@sub.example.vn":               true,
		"thư@ví-dụ.vn":                           true,
		"a@xn--80ak6aa92e.xn--p1ai":              true,
		"":                                       false,
		"an":                                     false,
		"an@localhost":                           false,
		"an@example.c":                           false,
		"an@example.123":                         false,
		"an@@example.com":                        false,
		"an@exa mple.com":                        false,
		"an @example.com":                        false,
		" an@example.com":                        false,
		".an@example.com":                        false,
		"a..n@example.com":                       false,
		"an@-example.com":                        false,
		"an@example..com":                        false,
		"an@example.com.":                        false,
		"an@example.com\nx":                      false,
		"\"an\"@example.com":                     false,
		strings.Repeat("a", 65) + "@example.com": false,
		"a@" + strings.Repeat("a.", 130) + "com": false,
	}
	for address, want := range tests {
		if got := auth.ValidEmail(address); got != want {
			t.Errorf("validEmail(%q) = %v, want %v", address, got, want)
		}
	}
}

//nolint:paralleltest // it measures memory
func TestALongAddressIsNotTakenApart(t *testing.T) {
	address := "a@" + strings.Repeat(".", 10<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if auth.ValidEmail(address) {
		t.Error("an address of dots is valid")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("it took %d KiB", got>>10)
	}
}

func FuzzSanitise(f *testing.F) {
	f.Add("conversation=3")
	f.Add("<script>x</script>")
	f.Fuzz(func(t *testing.T, text string) {
		if got := auth.Sanitise(text); len(got) > len(text) {
			t.Errorf("sanitise(%q) = %q, which is longer", text, got)
		}
	})
}
