# The folder of the wrappers that `oam setup hf` makes comes first for every shell of a login, so that a plain `hf` asks
# OAM. Who made none gets nothing. `oam setup shell` does the same for one person.
oam_wrappers=${XDG_DATA_HOME:-${HOME:-}/.local/share}/oam/bin
case $PATH in
  "$oam_wrappers":*) ;;
  *) if [ -d "$oam_wrappers" ]; then PATH=$oam_wrappers:$PATH && export PATH; fi ;;
esac
unset oam_wrappers
