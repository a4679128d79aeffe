package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/etrainer/backend/tools/dev/internal/demo"
)

// adminEmail is the login of the one admin user.
const adminEmail = "admin@etrainer.local"

// secrets are made at the first start and kept, so that tokens and the admin
// login outlive a restart.
type secrets struct {
	Access        string `json:"access"`
	Refresh       string `json:"refresh"`
	AdminPassword string `json:"adminPassword"`
}

func (s secrets) admin() demo.Admin { return demo.Admin{Email: adminEmail, Password: s.AdminPassword} }

func loadSecrets(path string) (secrets, error) {
	var s secrets
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeSecrets(path)
	}
	if err != nil {
		return s, fmt.Errorf("read the secrets: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Access == "" || s.Refresh == "" || s.AdminPassword == "" {
		return s, fmt.Errorf("%s is not readable; remove it, and new secrets are made", path)
	}
	return s, nil
}

func makeSecrets(path string) (secrets, error) {
	s := secrets{Access: random(48), Refresh: random(48), AdminPassword: random(12)}
	text, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return s, fmt.Errorf("keep the secrets: %w", err)
	}
	return s, nil
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// lock makes sure that one product runs in a folder. The lock ends with the
// process, however it ends.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, errors.New("it runs already in this folder; stop it first, or use another folder with --dir")
	}
	return func() { _ = file.Close() }, nil
}
