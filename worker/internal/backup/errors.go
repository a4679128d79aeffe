package backup

import (
	"errors"
	"fmt"
	"syscall"

	"filippo.io/age"
)

// The ways in which a backup cannot be used.
var (
	// ErrDamaged: the backup is not what was written: a file is missing, cut
	// off or changed.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrNotFound: there is no finished backup of that name.
	ErrNotFound = errors.New("there is no such backup")
	// ErrNeedsIdentity: the backup is encrypted, and no identity was given.
	ErrNeedsIdentity = errors.New("the backup is encrypted: name the file with your age identity (--identity FILE)")
	// ErrWrongIdentity: the backup is encrypted for others.
	ErrWrongIdentity = errors.New("the identity does not open this backup: it is encrypted for other recipients")
	// ErrNotEmpty: the database to restore into has collections.
	ErrNotEmpty = errors.New("the database is not empty")
	// ErrPartial: the restore failed after it had begun to fill the database.
	ErrPartial = errors.New("the database holds only a part of the backup now")
	// ErrDiffers: the database is not what the backup holds.
	ErrDiffers = errors.New("the database differs from the backup")
)

// damaged says what is wrong with which file.
func damaged(name, path, fault string) error {
	return fmt.Errorf("%w: %s of %s %s", ErrDamaged, path, name, fault)
}

// readable words the failures of writing that an operator can mend.
func readable(err error, location string) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("no space is left for the backup at %s: make room there or keep fewer backups (BACKUP_KEEP_DAILY, _WEEKLY, _MONTHLY); earlier backups are untouched: %w", location, err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the backup may not be written to %s: let this user write there: %w", location, err)
	default:
		return err
	}
}

// opening words the failures of age.
func opening(err error) error {
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return ErrWrongIdentity
	}
	return err
}
