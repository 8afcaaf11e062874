"""Who sends: the proof of a phone's own key, the account that a provider vouches for, and the activation that ties the two."""
