// Checks a log with Go's own code for notes and trees (golang.org/x/mod/sumdb), which guards the
// modules of every Go program.
//
// Usage: sumdb KEY PROOF LEAF TILES OLD CONSISTENCY
//
// KEY is a verifier key, PROOF a c2sp.org/tlog-proof@v1, LEAF the entry as it is in the log, TILES
// the folder with the log's tiles, OLD an older checkpoint and CONSISTENCY the hashes that lead from
// it to the proof's, a line each in base64. Ends with status 1 and says why if anything is wrong.
package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: sumdb KEY PROOF LEAF TILES OLD CONSISTENCY")
		os.Exit(3)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func check(keyFile, proofFile, leafFile, tiles, oldFile, consistencyFile string) error {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	head, signed, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("the proof has no header")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	path, err := hashes(lines[2:])
	if err != nil {
		return err
	}
	now, err := open(signed, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	leaf, err := os.ReadFile(leafFile)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(path, now.N, now.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	// The same from the tiles, each of which is compared with the signed head.
	reader := tlog.TileHashReader(now, folder(tiles))
	known, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	if known[0] != tlog.RecordHash(leaf) {
		return errors.New("tiles: another entry")
	}
	again, err := tlog.ProveRecord(now.N, index, reader)
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	if fmt.Sprint(again) != fmt.Sprint(path) {
		return errors.New("tiles: another proof")
	}
	signed2, err := os.ReadFile(oldFile)
	if err != nil {
		return err
	}
	old, err := open(string(signed2), verifier)
	if err != nil {
		return fmt.Errorf("older checkpoint: %w", err)
	}
	text, err = os.ReadFile(consistencyFile)
	if err != nil {
		return err
	}
	between, err := hashes(strings.Fields(string(text)))
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(between, now.N, now.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	return nil
}

// The head in a signed checkpoint. tlog.ParseTree reads only the head of Go's own log.
func open(signed string, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, line := range lines {
		bytes, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(bytes) != tlog.HashSize {
			return nil, fmt.Errorf("not a hash: %q", line)
		}
		found = append(found, tlog.Hash(bytes))
	}
	return found, nil
}

// The tiles of C2SP tlog-tiles, whose names leave out the height that Go's begin with.
type folder string

func (folder) Height() int { return 8 }

func (folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		bytes, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		found = append(found, bytes)
	}
	return found, nil
}
