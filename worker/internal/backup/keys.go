package backup

import (
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// encryptedEnding is at the end of the files of an encrypted backup.
const encryptedEnding = ".age"

// Recipients are the public keys whose owners can open a backup. None = it is
// not encrypted.
type Recipients struct {
	keys  []age.Recipient
	texts []string
}

// ParseRecipients reads public keys as age-keygen prints them ("age1...").
func ParseRecipients(texts []string) (Recipients, error) {
	var r Recipients
	for i, text := range texts {
		text = strings.TrimSpace(text)
		keys, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(keys) != 1 {
			// It may be a private key in the wrong place: do not show it.
			return Recipients{}, fmt.Errorf("recipient %d is not the public key of an age identity: it begins with age1, and age-keygen prints it", i+1)
		}
		r.keys, r.texts = append(r.keys, keys[0]), append(r.texts, text)
	}
	return r, nil
}

// Identities are the private keys that open encrypted backups.
type Identities []age.Identity

// ParseIdentities reads a file that age-keygen wrote.
func ParseIdentities(file io.Reader) (Identities, error) {
	identities, err := age.ParseIdentities(file)
	if err != nil {
		// The error of age quotes no line of the file.
		return nil, fmt.Errorf("the identity file has no age identity (AGE-SECRET-KEY-1...): %w", err)
	}
	return identities, nil
}
