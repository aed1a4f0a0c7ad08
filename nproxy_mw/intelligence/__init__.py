"""What is known against packages beyond their packuments: reports of malware, advisories, lists, and a score."""
