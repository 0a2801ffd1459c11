"""ECDC's daily COVID-19 cases by country, summed by month, in plain Python without Prefect."""
